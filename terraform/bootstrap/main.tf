# Creates the S3 bucket for the Terraform state of all stages. The state of this configuration is a local file. If that file
# is missing, set bucket_exists to import the bucket. Applying the configuration again changes nothing.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      application = "order-replication"
    }
  }
}

data "aws_caller_identity" "current" {}

locals {
  bucket = "order-replication-state-${data.aws_caller_identity.current.account_id}-${var.region}"
}

import {
  for_each = var.bucket_exists ? toset([local.bucket]) : toset([])
  to       = aws_s3_bucket.state
  id       = each.value
}

resource "aws_s3_bucket" "state" {
  # checkov:skip=CKV_AWS_18:Access logs require a second bucket; the state contains no secrets and no order data.
  # checkov:skip=CKV_AWS_144:Not replicated to a second region; a lost state can be rebuilt by importing the resources.
  # checkov:skip=CKV_AWS_145:Encrypted with the S3 managed key; the state contains no secrets.
  # checkov:skip=CKV2_AWS_62:No consumer needs notifications of state changes.
  bucket = local.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket = aws_s3_bucket.state.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # A rule on noncurrent versions requires versioning.
  depends_on = [aws_s3_bucket_versioning.state]
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id
  policy = data.aws_iam_policy_document.tls_only.json

  # S3 rejects concurrent changes to the access configuration of a bucket.
  depends_on = [aws_s3_bucket_public_access_block.state]
}
