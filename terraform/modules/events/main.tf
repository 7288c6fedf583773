data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  queue_name = "${var.name}-unpublished-events"

  # Composed here so that the queue is created with its policy, as in modules/order_queue.
  arn_prefix = "arn:${data.aws_partition.current.partition}:sqs:${var.region}:${data.aws_caller_identity.current.account_id}"
}

# The bus has no resource policy: only principals of this account that an IAM policy allows to can publish to it.
#
# The bus has no dead-letter queue. EventBridge uses the one of a bus only if the customer-managed key cannot be used, and
# then the tables and queues of the stage cannot be used either. The events can be published again from the Orders table.
resource "aws_cloudwatch_event_bus" "orders" {
  name               = var.name
  description        = "Events about the orders of this stage."
  kms_key_identifier = var.kms_key_arn
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = ["${local.arn_prefix}:${local.queue_name}"]

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

# For each batch that publish_changes could not publish, Lambda sends a message with the positions of its records in the
# stream, and not the records, which expire after 24 hours. Their events are published again from the Orders table.
resource "aws_sqs_queue" "unpublished" {
  name   = local.queue_name
  policy = data.aws_iam_policy_document.tls_only.json

  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_cloudwatch_metric_alarm" "unpublished_events" {
  alarm_name          = "${var.name}-unpublished-events"
  alarm_description   = "Changes of orders could not be published as events. No destination has received them. Runbook: ${var.runbook_url}#unpublished-events"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.unpublished.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  # SQS publishes no metrics for an inactive queue.
  treat_missing_data = "notBreaching"
}
