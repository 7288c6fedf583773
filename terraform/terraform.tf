terraform {
  # 1.11 brought write-only arguments and the S3 backend's own lock file.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Bucket, region and key come at init, one key a stage:
  # -backend-config=bucket=... -backend-config=region=... -backend-config=key=order-replication/<stage>.tfstate
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
