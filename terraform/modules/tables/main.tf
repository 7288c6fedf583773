# DynamoDB always encrypts. Without a customer-managed key it uses a key that AWS owns, which costs nothing, unlike the AWS
# managed key of the account; with enabled = false, a customer-managed key can also be taken back.

resource "aws_dynamodb_table" "orders" {
  # checkov:skip=CKV_AWS_119:A customer-managed key is used if kms_key_arn is set.
  name                        = "${var.name}-orders"
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.deletion_protection
  hash_key                    = "id"

  # For consumers of order changes; each change appears in the stream exactly once.
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "id"
    type = "N"
  }

  attribute {
    name = "created_day"
    type = "S"
  }

  # Finds the orders of a day, to publish their events again. It has the keys only: an order is written to it once.
  global_secondary_index {
    name            = "by_day"
    hash_key        = "created_day"
    range_key       = "id"
    projection_type = "KEYS_ONLY"
  }

  # Disabled rather than left out: without the block, the provider would leave TTL as it is.
  ttl {
    attribute_name = "expires_at"
    enabled        = var.orders_expire
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

# Read and written by the forget command only. It is a table of its own, so that a restore of the Orders table does not
# lose the ids of the orders that have to be forgotten again.
resource "aws_dynamodb_table" "erasures" {
  # checkov:skip=CKV_AWS_119:A customer-managed key is used if kms_key_arn is set.
  name                        = "${var.name}-erasures"
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.deletion_protection
  hash_key                    = "order_id"

  attribute {
    name = "order_id"
    type = "N"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_dynamodb_table" "jobs" {
  # checkov:skip=CKV_AWS_119:A customer-managed key is used if kms_key_arn is set.
  # checkov:skip=CKV_AWS_28:Poll records expire and can be lost; without them, the next poll is a sweep.
  name         = "${var.name}-jobs"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "store_hash"
  range_key    = "started_at"

  attribute {
    name = "store_hash"
    type = "S"
  }

  attribute {
    name = "started_at"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_dynamodb_table" "webhooks" {
  # checkov:skip=CKV_AWS_119:A customer-managed key is used if kms_key_arn is set.
  # checkov:skip=CKV_AWS_28:Webhook records expire and are informational only.
  name         = "${var.name}-webhooks"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "order_id"
  range_key    = "received_at"

  attribute {
    name = "order_id"
    type = "N"
  }

  attribute {
    name = "received_at"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}
