# One role per function, with the actions that the function calls on the resources that it uses. AWS managed keys require
# no KMS statement: their key policies allow every principal that is authorized to use the service.

locals {
  policies = {
    poll_orders      = data.aws_iam_policy_document.poll_orders.json
    cart_converted   = data.aws_iam_policy_document.cart_converted.json
    replicate_orders = data.aws_iam_policy_document.consumer["replicate_orders"].json
    follow_orders    = data.aws_iam_policy_document.consumer["follow_orders"].json
    publish_changes  = data.aws_iam_policy_document.publish_changes.json
  }

  consumed_queue_arns = {
    replicate_orders = var.orders_queue_arn
    follow_orders    = var.changes_queue_arn
  }

  keys = concat(var.kms_key_arn == null ? [] : [var.kms_key_arn], var.retired_kms_key_arns)
}

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

# Common to all functions: write to the log group.
data "aws_iam_policy_document" "common" {
  for_each = var.log_group_arns

  statement {
    sid     = "WriteLogs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]

    # The log streams of the function's own log group; Lambda chooses their names.
    resources = ["${each.value}:*"]
  }
}

# Common to all functions: use the customer-managed keys through the services that store data.
data "aws_iam_policy_document" "keys" {
  statement {
    sid       = "UseCustomerManagedKeys"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = local.keys

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["dynamodb", "events", "sns", "sqs", "ssm"] : "${service}.${var.region}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "poll_orders" {
  source_policy_documents = [data.aws_iam_policy_document.common["poll_orders"].json]

  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = [var.access_token_arn]
  }

  statement {
    sid       = "ManagePollRecords"
    actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
    resources = [var.jobs_table_arn]
  }

  statement {
    sid       = "ReadReplicationRecords"
    actions   = ["dynamodb:BatchGetItem"]
    resources = [var.orders_table_arn]
  }

  # The newest orders, whose fields are compared after a sweep.
  statement {
    sid       = "FindNewestOrders"
    actions   = ["dynamodb:Query"]
    resources = ["${var.orders_table_arn}/index/by_day"]
  }

  statement {
    sid       = "QueueOrders"
    actions   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
    resources = values(local.consumed_queue_arns)
  }

  statement {
    sid       = "PublishAlerts"
    actions   = ["sns:Publish"]
    resources = [var.errors_topic_arn]
  }
}

data "aws_iam_policy_document" "cart_converted" {
  source_policy_documents = [data.aws_iam_policy_document.common["cart_converted"].json]

  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = concat([var.client_secret_arn], var.webhook_token_arns)
  }

  statement {
    sid       = "QueueOrders"
    actions   = ["sqs:SendMessage"]
    resources = values(local.consumed_queue_arns)
  }

  statement {
    sid       = "RecordWebhooks"
    actions   = ["dynamodb:PutItem"]
    resources = [var.webhooks_table_arn]
  }

  # That an alert was sent. The table's other items have other partition keys.
  statement {
    sid       = "RecordAlerts"
    actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
    resources = [var.jobs_table_arn]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["#alerts"]
    }
  }

  statement {
    sid       = "PublishAlerts"
    actions   = ["sns:Publish"]
    resources = [var.errors_topic_arn]
  }
}

data "aws_iam_policy_document" "consumer" {
  for_each = local.consumed_queue_arns

  source_policy_documents = [data.aws_iam_policy_document.common[each.key].json]

  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = [var.access_token_arn]
  }

  statement {
    sid = "ReceiveOrders"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ]
    resources = [each.value]
  }

  statement {
    sid       = "ReplicateOrders"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [var.orders_table_arn]
  }

  # Orders that fail, the operator's pause of status changes, and whether the stage reads every order list by list.
  statement {
    sid       = "RecordFailingOrders"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem"]
    resources = [var.jobs_table_arn]
  }

  statement {
    sid       = "PublishAlerts"
    actions   = ["sns:Publish"]
    resources = [var.errors_topic_arn]
  }
}

data "aws_iam_policy_document" "publish_changes" {
  source_policy_documents = [data.aws_iam_policy_document.common["publish_changes"].json]

  statement {
    sid = "ReadStream"
    actions = [
      "dynamodb:DescribeStream",
      "dynamodb:GetRecords",
      "dynamodb:GetShardIterator",
      "dynamodb:ListStreams",
    ]
    resources = [var.orders_stream_arn]
  }

  statement {
    sid       = "PublishEvents"
    actions   = ["events:PutEvents"]
    resources = [var.event_bus_arn]
  }

  # Lambda sends with this role what the function could not publish.
  statement {
    sid       = "ReportUnpublishedEvents"
    actions   = ["sqs:SendMessage"]
    resources = [var.unpublished_events_arn]
  }

  # That an alert was sent. The table's other items have other partition keys.
  statement {
    sid       = "RecordAlerts"
    actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
    resources = [var.jobs_table_arn]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["#alerts"]
    }
  }

  statement {
    sid       = "PublishAlerts"
    actions   = ["sns:Publish"]
    resources = [var.errors_topic_arn]
  }
}

resource "aws_iam_role" "function" {
  for_each = toset(keys(var.log_group_arns))

  name                 = "${var.name}-${replace(each.key, "_", "-")}"
  description          = "Execution role of the Lambda function ${each.key}."
  assume_role_policy   = data.aws_iam_policy_document.lambda.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "function" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.function[each.key].id
  policy = each.value
}

# A policy of its own, which needs no queue and no table: these are encrypted with a key only after the functions may use it.
resource "aws_iam_role_policy" "keys" {
  for_each = toset(length(local.keys) == 0 ? [] : keys(var.log_group_arns))

  name   = "keys"
  role   = aws_iam_role.function[each.key].id
  policy = data.aws_iam_policy_document.keys.json
}
