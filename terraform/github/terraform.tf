terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # Applied once per account, with permission to create roles. The state is a local file; if it is lost, the roles can be
  # imported.
  backend "local" {}
}
