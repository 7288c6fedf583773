# Policies for the people who run the operator's commands. They are outputs and not resources: who gets them is a decision
# of the account. Each contains the actions of its commands beyond those of read, which every command needs.

locals {
  tables = [var.orders_table_arn, var.jobs_table_arn, var.webhooks_table_arn, var.erasures_table_arn]

  # Services that use a customer-managed key for a command, as in the roles of the functions.
  via_services = [for service in ["dynamodb", "events", "sqs", "ssm"] : "${service}.${var.region}.amazonaws.com"]

  # What belongs to the destinations of events, and the temporary resources of the command events tail. All have the name of
  # the bus in theirs, and are not listed by name, so that their number does not exceed the size of an IAM policy.
  events_arn        = split(":event-bus/", var.event_bus_arn)[0]
  bus               = split(":event-bus/", var.event_bus_arn)[1]
  destination_rules = "${local.events_arn}:rule/${local.bus}/${local.bus}-to-*"
  connections       = "${local.events_arn}:connection/${local.bus}-to-*"
  secrets           = "${replace(local.events_arn, ":events:", ":secretsmanager:")}:secret:events!connection/${local.bus}-to-*"
  tail_rules        = "${local.events_arn}:rule/${local.bus}/${local.bus}-tail-*"
  tail_queues       = "${replace(local.events_arn, ":events:", ":sqs:")}:${local.bus}-tail-*"
}

# Reads orders and secrets. Listing a dead-letter queue receives its messages and makes them visible again; it deletes none.
data "aws_iam_policy_document" "read" {
  # checkov:skip=CKV_AWS_356:The actions of ReadUnnamedResources do not support resource-level permissions.
  statement {
    sid       = "ReadFunctions"
    actions   = ["lambda:GetFunctionConfiguration"]
    resources = var.function_arns
  }

  statement {
    sid       = "ReadSchedule"
    actions   = ["events:DescribeRule"]
    resources = [var.schedule_arn]
  }

  # AWS does not return the secret of a connection.
  statement {
    sid       = "ReadDestinations"
    actions   = ["events:DescribeConnection", "events:ListTargetsByRule"]
    resources = [local.connections, local.destination_rules]
  }

  statement {
    sid       = "ReadTables"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"]
    resources = concat(local.tables, ["${var.orders_table_arn}/index/by_day"])
  }

  statement {
    sid       = "ReadQueues"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    resources = concat(var.queue_arns, var.dead_letter_queue_arns)
  }

  statement {
    sid       = "ListDeadLetters"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:ReceiveMessage"]
    resources = var.dead_letter_queue_arns
  }

  # The console shows what the functions logged about an order.
  statement {
    sid       = "ReadLogs"
    actions   = ["logs:FilterLogEvents"]
    resources = [for arn in var.log_group_arns : "${arn}:*"]
  }

  statement {
    sid       = "ReadTopics"
    actions   = ["sns:ListSubscriptionsByTopic"]
    resources = var.topic_arns
  }

  # The commands connect to the store with the access token, and compare the token of the webhooks.
  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = var.parameter_arns
  }

  statement {
    sid = "ReadUnnamedResources"
    actions = [
      "cloudwatch:DescribeAlarms",
      "cloudwatch:GetMetricStatistics",
      "events:ListRules",
      "lambda:GetAccountSettings",
      "lambda:ListEventSourceMappings",
    ]
    resources = ["*"]
  }

  dynamic "statement" {
    for_each = length(var.kms_key_arns) == 0 ? [] : [var.kms_key_arns]

    content {
      sid       = "DecryptWithCustomerManagedKeys"
      actions   = ["kms:Decrypt", "kms:DescribeKey"]
      resources = statement.value

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = local.via_services
      }
    }
  }
}

# What operate and erase have in common. Each change is recorded in the Jobs table before it is made, and a message that is
# redriven or dropped is deleted from its dead-letter queue.
data "aws_iam_policy_document" "change" {
  statement {
    sid       = "RecordChanges"
    actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
    resources = [var.jobs_table_arn]
  }

  statement {
    sid       = "DeleteDeadLetters"
    actions   = ["sqs:DeleteMessage"]
    resources = var.dead_letter_queue_arns
  }

  dynamic "statement" {
    for_each = length(var.kms_key_arns) == 0 ? [] : [var.kms_key_arns]

    content {
      sid       = "EncryptWithCustomerManagedKeys"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
      resources = statement.value

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = local.via_services
      }
    }
  }
}

data "aws_iam_policy_document" "operate" {
  source_policy_documents = [data.aws_iam_policy_document.change.json]

  statement {
    sid       = "Poll"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.poll_function_arn]
  }

  statement {
    sid       = "QueueOrders"
    actions   = ["sqs:SendMessage"]
    resources = var.queue_arns
  }

  statement {
    sid       = "ReplayEvents"
    actions   = ["events:PutEvents"]
    resources = [var.event_bus_arn]
  }

  statement {
    sid       = "AuthorizeDestinations"
    actions   = ["events:UpdateConnection"]
    resources = [local.connections]
  }

  # EventBridge requires these of whoever updates a connection.
  statement {
    sid = "WriteSecretsOfConnections"
    actions = [
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecret",
    ]
    resources = [local.secrets]
  }

  # The rule of a tail can send to queues of tails, and to nothing else.
  statement {
    sid       = "TailRules"
    actions   = ["events:DeleteRule", "events:PutRule", "events:RemoveTargets"]
    resources = [local.tail_rules]
  }

  statement {
    sid       = "TailTargets"
    actions   = ["events:PutTargets"]
    resources = [local.tail_rules]

    # One request can have several targets.
    condition {
      test     = "ForAllValues:ArnLike"
      variable = "events:TargetArn"
      values   = [local.tail_queues]
    }

    condition {
      test     = "Null"
      variable = "events:TargetArn"
      values   = ["false"]
    }
  }

  statement {
    sid       = "TailQueues"
    actions   = ["sqs:CreateQueue", "sqs:DeleteMessage", "sqs:DeleteQueue", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
    resources = [local.tail_queues]
  }

  statement {
    sid       = "BackfillOrders"
    actions   = ["dynamodb:PutItem"]
    resources = [var.orders_table_arn]
  }
}

data "aws_iam_policy_document" "erase" {
  source_policy_documents = [data.aws_iam_policy_document.change.json]

  statement {
    sid       = "ReplaceOrders"
    actions   = ["dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [var.orders_table_arn]
  }

  statement {
    sid       = "DeleteWebhooks"
    actions   = ["dynamodb:DeleteItem"]
    resources = [var.webhooks_table_arn]
  }

  statement {
    sid       = "RecordErasures"
    actions   = ["dynamodb:PutItem"]
    resources = [var.erasures_table_arn]
  }
}
