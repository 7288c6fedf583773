# One role a function, and in it each action on each resource it is used on. With the keys that AWS manages no statement
# on KMS is needed: their policies admit whoever may use the service.

locals {
  policies = {
    poll_orders      = data.aws_iam_policy_document.poll_orders.json
    cart_converted   = data.aws_iam_policy_document.cart_converted.json
    replicate_orders = data.aws_iam_policy_document.replicate_orders.json
  }

  customer_managed_keys = var.kms_key_arn == null ? [] : [var.kms_key_arn]
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

# What every function does: write its log, and use the customer's key through the services that hold its data.
data "aws_iam_policy_document" "common" {
  for_each = var.log_group_arns

  statement {
    sid     = "WriteLogs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]

    # The streams of the function's own group: Lambda names them as it makes them.
    resources = ["${each.value}:*"]
  }

  dynamic "statement" {
    for_each = local.customer_managed_keys

    content {
      sid       = "UseCustomerManagedKey"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in ["dynamodb", "sns", "sqs", "ssm"] : "${service}.${var.region}.amazonaws.com"]
      }
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
    sid       = "KeepLeaseAndRecords"
    actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"]
    resources = [var.jobs_table_arn]
  }

  statement {
    sid       = "SeeWhatIsReplicated"
    actions   = ["dynamodb:BatchGetItem"]
    resources = [var.orders_table_arn]
  }

  statement {
    sid       = "QueueOrders"
    actions   = ["sqs:SendMessage"]
    resources = [var.orders_queue_arn]
  }

  statement {
    sid       = "TellOfErrors"
    actions   = ["sns:Publish"]
    resources = [var.errors_topic_arn]
  }
}

data "aws_iam_policy_document" "cart_converted" {
  source_policy_documents = [data.aws_iam_policy_document.common["cart_converted"].json]

  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = [var.client_secret_arn, var.webhook_token_arn]
  }

  statement {
    sid       = "QueueOrders"
    actions   = ["sqs:SendMessage"]
    resources = [var.orders_queue_arn]
  }

  statement {
    sid       = "RecordWebhooks"
    actions   = ["dynamodb:PutItem"]
    resources = [var.webhooks_table_arn]
  }

  statement {
    sid       = "TellOfErrors"
    actions   = ["sns:Publish"]
    resources = [var.errors_topic_arn]
  }
}

data "aws_iam_policy_document" "replicate_orders" {
  source_policy_documents = [data.aws_iam_policy_document.common["replicate_orders"].json]

  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = [var.access_token_arn]
  }

  statement {
    sid = "TakeOrdersFromTheQueue"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ]
    resources = [var.orders_queue_arn]
  }

  statement {
    sid       = "ReplicateOrders"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [var.orders_table_arn]
  }

  statement {
    sid       = "TellOfADeadToken"
    actions   = ["sns:Publish"]
    resources = [var.errors_topic_arn]
  }
}

resource "aws_iam_role" "function" {
  for_each = local.policies

  name               = "${var.name}-${replace(each.key, "_", "-")}"
  description        = "What ${each.key} may do."
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

resource "aws_iam_role_policy" "function" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.function[each.key].id
  policy = each.value
}
