provider "aws" {
  region = var.region

  default_tags {
    tags = {
      application = "order-replication"
      stage       = var.stage
    }
  }
}
