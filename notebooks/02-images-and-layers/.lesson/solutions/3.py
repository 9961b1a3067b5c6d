Path("report/Dockerfile").write_text("""FROM tiny
WORKDIR /app
COPY packages.txt install.sh ./
RUN sh install.sh
COPY . .
CMD ["sh", "report.sh"]
""")
