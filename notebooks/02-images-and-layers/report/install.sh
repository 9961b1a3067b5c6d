# Stands for `pip install -r packages.txt`, which takes its time, too.
sleep 2
sort packages.txt > /installed
