terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # make bootstrap gives the path, one for each account and region.
  backend "local" {}
}
