# A receiver of order events: a queue, the function that sends the orders to the ERP, and a table of what was sent.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

variable "region" {
  description = "Region of the stage of order-replication."
  type        = string
}

variable "stage" {
  description = "Stage of order-replication whose orders are sent."
  type        = string
}

variable "erp_url" {
  description = "URL of the ERP's API. The function adds /orders/{id}."
  type        = string

  validation {
    condition     = startswith(var.erp_url, "https://")
    error_message = "erp_url must be an https URL: orders and the key are sent to it."
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { application = "send-to-erp", stage = var.stage }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  name      = "send-to-erp-${var.stage}"
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  orders    = "order-replication-${var.stage}-orders"
  parameter = "/send-to-erp/${var.stage}/erp-key"
  timeout   = 60
}

# EventBridge sends with the role that the stage creates for the destination, so the queue needs no policy.
resource "aws_sqs_queue" "queue" {
  name = local.name

  # Six times the timeout of the function, as Lambda recommends.
  visibility_timeout_seconds = 6 * local.timeout
  message_retention_seconds  = 1209600

  # An ERP that is down for an hour is not an error of any order: 20 deliveries take two hours.
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_letters.arn, maxReceiveCount = 20 })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.name}-dead-letters"
  message_retention_seconds = 1209600
}

resource "aws_dynamodb_table" "sent" {
  name         = "${local.name}-sent"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "order_id"

  attribute {
    name = "order_id"
    type = "N"
  }
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = 90
}

resource "aws_lambda_function" "function" {
  function_name    = local.name
  role             = aws_iam_role.function.arn
  filename         = "${path.module}/handler.zip"
  source_code_hash = filebase64sha256("${path.module}/handler.zip")
  handler          = "handler.handle"
  runtime          = "python3.13"
  architectures    = ["arm64"]
  memory_size      = 256
  timeout          = local.timeout

  environment {
    variables = {
      ERP_URL           = var.erp_url
      ERP_KEY_PARAMETER = local.parameter
      ORDERS_TABLE      = local.orders
      SENT_TABLE        = aws_dynamodb_table.sent.name
    }
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

# Two invocations at a time: few ERPs like more.
resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn        = aws_sqs_queue.queue.arn
  function_name           = aws_lambda_function.function.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }
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

data "aws_iam_policy_document" "function" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  statement {
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [aws_sqs_queue.queue.arn]
  }

  statement {
    actions   = ["dynamodb:GetItem"]
    resources = ["arn:${local.partition}:dynamodb:${var.region}:${local.account}:table/${local.orders}"]
  }

  statement {
    actions   = ["dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.sent.arn]
  }

  statement {
    actions   = ["ssm:GetParameter"]
    resources = ["arn:${local.partition}:ssm:${var.region}:${local.account}:parameter${local.parameter}"]
  }
}

resource "aws_iam_role" "function" {
  name               = local.name
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

# The topic accepts alarms with the name of the stage only.
resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "order-replication-${var.stage}-${aws_sqs_queue.dead_letters.name}"
  alarm_description   = "An order could not be sent to the ERP in 20 deliveries. The log of the function says why."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [data.aws_sns_topic.errors.arn]
  ok_actions          = [data.aws_sns_topic.errors.arn]
}

# The stage's own topic, so that its alarms arrive where the others do.
data "aws_sns_topic" "errors" {
  name = "order-replication-${var.stage}-errors"
}

output "destination" {
  description = "For the stage's tfvars of order-replication."
  value       = "destinations = { erp = { sqs = \"${aws_sqs_queue.queue.arn}\" } }"
}
