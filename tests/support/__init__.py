"""What several tests share: running the app, a fake platform on the transport, golden files."""
