echo "$(wc -l < levels.csv) levels, by means of:" $(cat /installed)
