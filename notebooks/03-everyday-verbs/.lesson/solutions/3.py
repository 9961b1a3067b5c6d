server = 'mkdir /www; echo "high tide at noon" > /www/page; exec httpd -f -h /www'

docker("network", "create", "harbour")
docker("run", "--detach", "--name", "web", "--network", "harbour", "tiny", "sh", "-c", server)
page = docker("run", "--rm", "--network", "harbour", "tiny", "wget", "-qO-", "http://web/page")
