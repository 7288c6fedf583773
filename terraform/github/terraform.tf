terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Applied once for each account, by someone who may make roles. Its state lies beside it; without it the roles can be
  # imported again.
  backend "local" {}
}
