"""The deployment tool: packages the app and runs Terraform."""
