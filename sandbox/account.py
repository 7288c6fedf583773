"""The only account and region of the sandbox."""

ACCOUNT = "123456789012"
REGION = "us-east-1"
