output "state_bucket" {
  description = "Name of the state bucket, for terraform init -backend-config=bucket=<name>."
  value       = aws_s3_bucket.state.id
}
