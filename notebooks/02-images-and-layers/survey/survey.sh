echo "the survey of the harbour"
