echo "a level of 1.8 m, says version 1"
