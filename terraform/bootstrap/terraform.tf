terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # make bootstrap passes the path: one state file per account and region.
  backend "local" {}
}
