terraform {
  # Write-only arguments and S3 state locking with a lock file require Terraform 1.11.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # Bucket, region and key are passed to terraform init; each stage has its own key:
  # -backend-config=bucket=... -backend-config=region=... -backend-config=key=order-replication/<stage>.tfstate
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
