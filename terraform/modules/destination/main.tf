# One receiver of events: a rule on the bus, its target, and a queue for events that the target did not accept. EventBridge
# retries each target separately, so that an unavailable receiver delays no other.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  queue_name = "${var.name}-undelivered"

  # Composed here so that the queue is created with its policy, as in modules/order_queue.
  queue_arn = "arn:${data.aws_partition.current.partition}:sqs:${var.region}:${data.aws_caller_identity.current.account_id}:${local.queue_name}"

  # EventBridge compares numbers by their text. The IDs of an event are whole numbers, as these are.
  detail = merge(
    # An event that is replayed for one destination names it, and other events have no such field.
    { only_for = [{ exists = false }, var.destination] },
    length(var.channel_ids) == 0 ? {} : { channel_id = var.channel_ids },
    length(var.status_ids) == 0 ? {} : { status_id = var.status_ids },
  )

  pattern = merge(
    { source = [var.event_source], detail = local.detail },
    length(var.types) == 0 ? {} : { detail-type = var.types },
  )
}

resource "aws_cloudwatch_event_rule" "destination" {
  name           = var.name
  description    = "Sends events about orders to the destination ${var.destination}."
  event_bus_name = var.bus_name
  event_pattern  = jsonencode(local.pattern)
}

resource "aws_cloudwatch_event_target" "destination" {
  rule           = aws_cloudwatch_event_rule.destination.name
  event_bus_name = var.bus_name
  target_id      = var.destination
  arn            = var.target_arn
  role_arn       = aws_iam_role.destination.arn

  retry_policy {
    maximum_event_age_in_seconds = 3600 * var.retry_hours
    maximum_retry_attempts       = var.retry_attempts
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  # A rule cannot take the group from the event. The field sequence of an event orders the events of an order.
  dynamic "sqs_target" {
    for_each = var.message_group_id == null ? [] : [var.message_group_id]

    content {
      message_group_id = sqs_target.value
    }
  }

  depends_on = [aws_iam_role_policy.destination]
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.destination.arn]
    }
  }
}

# EventBridge sends to every kind of target with a role (since 2025 also to queues and functions:
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html). A receiver in this account
# therefore needs no policy of its own, and a deployment changes no resource of the receiver.
data "aws_iam_policy_document" "destination" {
  statement {
    sid       = "SendEvents"
    actions   = [var.action]
    resources = [var.target_arn]
  }

  dynamic "statement" {
    for_each = var.target_kms_key_arn == null ? [] : [var.target_kms_key_arn]

    content {
      sid       = "EncryptEvents"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["sqs.${var.region}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role" "destination" {
  name                 = var.name
  description          = "Sends events about orders to the destination ${var.destination}."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "destination" {
  name   = "destination"
  role   = aws_iam_role.destination.id
  policy = data.aws_iam_policy_document.destination.json
}

data "aws_iam_policy_document" "undelivered" {
  statement {
    sid       = "AllowRuleOfThisDestination"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.destination.arn]
    }
  }

  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [local.queue_arn]

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

resource "aws_sqs_queue" "undelivered" {
  name   = local.queue_name
  policy = data.aws_iam_policy_document.undelivered.json

  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

# Undelivered are the events in the queue, and those that EventBridge could not send to the queue either, which are lost.
# EventBridge publishes the second metric only if it is not zero.
resource "aws_cloudwatch_metric_alarm" "undelivered" {
  alarm_name          = "${var.name}-undelivered"
  alarm_description   = "Events were not delivered to the destination ${var.destination}. They are in the queue ${local.queue_name}. Runbook: ${var.runbook_url}#undelivered"
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  metric_query {
    id          = "undelivered"
    expression  = "SUM([FILL(waiting, 0), FILL(lost, 0)])"
    label       = "UndeliveredEvents"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.undelivered.name }
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "lost"

    metric {
      namespace   = "AWS/Events"
      metric_name = "InvocationsFailedToBeSentToDlq"
      dimensions  = { EventBusName = var.bus_name, RuleName = aws_cloudwatch_event_rule.destination.name }
      stat        = "Sum"
      period      = 60
    }
  }
}
