"""What the tests share: asking for a real engine, running the product as a user, speaking to a kernel."""
