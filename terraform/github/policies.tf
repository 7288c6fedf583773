# Permissions to deploy a stage, restricted to the stage's resources where AWS supports it. Not restricted are list
# operations and sns:Unsubscribe, which support neither resources nor conditions, and reading REST APIs and event source
# mappings, whose IDs AWS generates.
#
# The deployment role can create and change roles only with the permissions boundary of the stage (boundary.tf). Its own
# role and policies, and the boundary, have the path /github/, which the ARNs of the stage's roles do not match.
#
# A managed policy is limited to 6,144 characters, so the permissions are divided among four (events.tf).

locals {
  # Services through which a KMS key is used.
  encrypting_services = ["dynamodb", "events", "sns", "sqs", "ssm"]

  names = {
    for stage, region in var.stages : stage => {
      name   = "order-replication-${stage}"
      bucket = "order-replication-state-${local.account}-${region}"
      state  = "order-replication/${stage}.tfstate"
      # The part of an ARN between the service and the resource.
      place = "${region}:${local.account}"
    }
  }

  resources = {
    for stage, its in local.names : stage => {
      functions = ["arn:${local.partition}:lambda:${its.place}:function:${its.name}-*"]
      layers = [
        "arn:${local.partition}:lambda:${its.place}:layer:${its.name}-*",
        "arn:${local.partition}:lambda:${its.place}:layer:${its.name}-*:*",
      ]
      event_sources = ["arn:${local.partition}:lambda:${its.place}:event-source-mapping:*"]
      queues        = ["arn:${local.partition}:sqs:${its.place}:${its.name}-*"]
      tables        = ["arn:${local.partition}:dynamodb:${its.place}:table/${its.name}-*"]
      topics        = ["arn:${local.partition}:sns:${its.place}:${its.name}-*"]
      parameters    = ["arn:${local.partition}:ssm:${its.place}:parameter/order-replication/${stage}/*"]
      rules         = ["arn:${local.partition}:events:${its.place}:rule/${its.name}-*"]
      roles         = ["arn:${local.partition}:iam::${local.account}:role/${its.name}-*"]
      log_groups = [
        for group in ["/aws/lambda/${its.name}-*", "/aws/apigateway/${its.name}"] :
        "arn:${local.partition}:logs:${its.place}:log-group:${group}"
      ]
      alarms     = ["arn:${local.partition}:cloudwatch:${its.place}:alarm:${its.name}-*"]
      dashboards = ["arn:${local.partition}:cloudwatch::${local.account}:dashboard/${its.name}"]
      apis       = "arn:${local.partition}:apigateway:${var.stages[stage]}::/restapis"
      web_acls   = "arn:${local.partition}:wafv2:${its.place}:regional/webacl/*"
      api_tags   = "arn:${local.partition}:apigateway:${var.stages[stage]}::/tags/*"
      bucket     = ["arn:${local.partition}:s3:::${its.bucket}"]
      state      = ["arn:${local.partition}:s3:::${its.bucket}/${its.state}"]
      lock       = ["arn:${local.partition}:s3:::${its.bucket}/${its.state}.tflock"]
      keys       = lookup(var.kms_key_arns, stage, [])

      boundary = "arn:${local.partition}:iam::${local.account}:policy/github/${its.name}-boundary"
    }
  }
}

# A plan without refresh (ops.deploy plan --state-only) reads nothing but the state, which contains no secret.
data "aws_iam_policy_document" "plan" {
  for_each = local.resources

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"]
    resources = each.value.bucket

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = each.value.state

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }
}

# Reading the resources includes the values of the secrets, because the provider reads them, but no order data.
data "aws_iam_policy_document" "read" {
  # checkov:skip=CKV_AWS_356:The actions of ReadUnnamedResources do not support resource-level permissions.
  for_each = local.resources

  source_policy_documents = [data.aws_iam_policy_document.plan[each.key].json]

  statement {
    sid = "ReadFunctions"
    actions = [
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetFunctionConfiguration",
      "lambda:GetFunctionEventInvokeConfig",
      "lambda:GetLayerVersion",
      "lambda:GetPolicy",
      "lambda:ListTags",
      "lambda:ListVersionsByFunction",
    ]
    resources = concat(each.value.functions, each.value.layers, each.value.event_sources)
  }

  statement {
    sid       = "ReadTables"
    actions   = ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"]
    resources = each.value.tables
  }

  statement {
    sid       = "ReadQueues"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
    resources = each.value.queues
  }

  statement {
    sid       = "ReadTopics"
    actions   = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"]
    resources = each.value.topics
  }

  statement {
    sid       = "ReadParameters"
    actions   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:ListTagsForResource"]
    resources = each.value.parameters
  }

  statement {
    sid       = "ReadRules"
    actions   = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"]
    resources = each.value.rules
  }

  statement {
    sid       = "ReadRoles"
    actions   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:ListRoleTags"]
    resources = each.value.roles
  }

  statement {
    sid       = "ReadLogGroups"
    actions   = ["logs:DescribeMetricFilters", "logs:ListTagsForResource"]
    resources = flatten([for group in each.value.log_groups : [group, "${group}:*"]])
  }

  statement {
    sid       = "ReadAlarms"
    actions   = ["cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource"]
    resources = concat(each.value.alarms, each.value.dashboards)
  }

  statement {
    sid       = "ReadApis"
    actions   = ["apigateway:GET"]
    resources = [each.value.apis, "${each.value.apis}/*", each.value.api_tags]
  }

  statement {
    sid = "ReadUnnamedResources"
    actions = [
      "cloudwatch:DescribeAlarms",
      "lambda:GetAccountSettings",
      "lambda:GetEventSourceMapping",
      "logs:DescribeLogGroups",
      "sns:GetSubscriptionAttributes",
      "ssm:DescribeParameters",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "write_data" {
  for_each = local.resources

  statement {
    sid       = "WriteState"
    actions   = ["s3:PutObject"]
    resources = each.value.state

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "LockState"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = each.value.lock

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid = "WriteTables"
    actions = [
      "dynamodb:CreateTable",
      "dynamodb:DeleteTable",
      "dynamodb:TagResource",
      "dynamodb:UntagResource",
      "dynamodb:UpdateContinuousBackups",
      "dynamodb:UpdateTable",
      "dynamodb:UpdateTimeToLive",
    ]
    resources = each.value.tables
  }

  statement {
    sid       = "WriteQueues"
    actions   = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"]
    resources = each.value.queues
  }

  statement {
    sid       = "WriteTopics"
    actions   = ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource"]
    resources = each.value.topics
  }

  # Needed to delete a subscription. It supports neither resources nor conditions, so that it covers the subscriptions of
  # the whole account.
  statement {
    sid       = "DeleteSubscriptions"
    actions   = ["sns:Unsubscribe"]
    resources = ["*"]
  }

  statement {
    sid       = "WriteParameters"
    actions   = ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource"]
    resources = each.value.parameters
  }

  # Terraform compares the key of each table with the AWS managed key.
  statement {
    sid       = "FindManagedKey"
    actions   = ["kms:DescribeKey"]
    resources = ["arn:${local.partition}:kms:${local.names[each.key].place}:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/aws/dynamodb"]
    }
  }

  # What DynamoDB requires of the principal that selects a key, and SSM of the one that writes a parameter.
  dynamic "statement" {
    for_each = length(each.value.keys) == 0 ? [] : [each.value.keys]

    content {
      sid       = "UseCustomerManagedKeys"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
      resources = statement.value

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in local.encrypting_services : "${service}.${var.stages[each.key]}.amazonaws.com"]
      }
    }
  }

  # ops.deploy checks the key and its policy before Terraform runs, with a dry run. A new data key opens nothing that the stage encrypted.
  dynamic "statement" {
    for_each = length(each.value.keys) == 0 ? [] : [each.value.keys]

    content {
      sid       = "CheckCustomerManagedKeys"
      actions   = ["kms:DescribeKey", "kms:GenerateDataKey", "kms:GetKeyPolicy"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(each.value.keys) == 0 ? [] : [each.value.keys]

    content {
      sid       = "GrantCustomerManagedKeys"
      actions   = ["kms:CreateGrant"]
      resources = statement.value

      condition {
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }
}

data "aws_iam_policy_document" "write_functions" {
  for_each = local.resources

  statement {
    sid = "WriteFunctions"
    actions = [
      "lambda:AddPermission",
      "lambda:CreateFunction",
      "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency",
      "lambda:DeleteFunctionEventInvokeConfig",
      "lambda:DeleteLayerVersion",
      "lambda:PublishLayerVersion",
      "lambda:PutFunctionConcurrency",
      "lambda:PutFunctionEventInvokeConfig",
      "lambda:RemovePermission",
      "lambda:TagResource",
      "lambda:UntagResource",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
      "lambda:UpdateFunctionEventInvokeConfig",
    ]
    resources = concat(each.value.functions, each.value.layers)
  }

  statement {
    sid       = "WriteEventSources"
    actions   = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    resources = ["*"]

    condition {
      test     = "ArnLike"
      variable = "lambda:FunctionArn"
      values   = each.value.functions
    }
  }

  statement {
    sid       = "TagEventSources"
    actions   = ["lambda:TagResource", "lambda:UntagResource"]
    resources = each.value.event_sources
  }

  statement {
    sid       = "WriteRules"
    actions   = ["events:DeleteRule", "events:PutRule", "events:RemoveTargets", "events:TagResource", "events:UntagResource"]
    resources = each.value.rules
  }

  # EventBridge could otherwise send to every queue of the account that accepts its messages.
  statement {
    sid       = "WriteTargets"
    actions   = ["events:PutTargets"]
    resources = each.value.rules

    condition {
      test     = "ForAllValues:ArnLike"
      variable = "events:TargetArn"
      values   = each.value.functions
    }
  }

  statement {
    sid = "WriteRoles"
    actions = [
      "iam:CreateRole",
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:PutRolePermissionsBoundary",
      "iam:PutRolePolicy",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ]
    resources = each.value.roles

    # IAM evaluates the key for each of these actions:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [each.value.boundary]
    }
  }

  statement {
    sid       = "TagRoles"
    actions   = ["iam:ListInstanceProfilesForRole", "iam:TagRole", "iam:UntagRole"]
    resources = each.value.roles
  }

  statement {
    sid       = "PassRolesToFunctions"
    actions   = ["iam:PassRole"]
    resources = each.value.roles

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com"]
    }
  }

  statement {
    sid = "WriteLogGroups"
    actions = [
      "logs:AssociateKmsKey",
      "logs:CreateLogGroup",
      "logs:DeleteLogGroup",
      "logs:DeleteMetricFilter",
      "logs:DisassociateKmsKey",
      "logs:PutMetricFilter",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "logs:UntagResource",
    ]
    resources = flatten([for group in each.value.log_groups : [group, "${group}:*"]])
  }

  statement {
    sid       = "WriteAlarms"
    actions   = ["cloudwatch:PutMetricAlarm"]
    resources = each.value.alarms

    # An alarm can also do other things than send messages, for example stop instances.
    condition {
      test     = "ForAllValues:StringLike"
      variable = "cloudwatch:AlarmActions"
      values   = each.value.topics
    }
  }

  statement {
    sid = "WriteDashboards"
    actions = [
      "cloudwatch:DeleteAlarms",
      "cloudwatch:DeleteDashboards",
      "cloudwatch:PutDashboard",
      "cloudwatch:TagResource",
      "cloudwatch:UntagResource",
    ]
    resources = concat(each.value.alarms, each.value.dashboards)
  }

  # The default_tags of the provider give each REST API the tag stage, in the request that creates it. Its deployments,
  # stages and other child resources inherit the tag for access control:
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
  statement {
    sid       = "CreateApis"
    actions   = ["apigateway:POST"]
    resources = [each.value.apis]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/stage"
      values   = [each.key]
    }
  }

  statement {
    sid = "WriteApis"
    actions = [
      "apigateway:DELETE",
      "apigateway:PATCH",
      "apigateway:POST",
      "apigateway:PUT",
      "apigateway:SetWebACL",
      "apigateway:UpdateRestApiPolicy",
    ]
    resources = ["${each.value.apis}/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/stage"
      values   = [each.key]
    }
  }

  # AWS WAF also requires apigateway:SetWebACL on the API, which WriteApis restricts to the stage.
  statement {
    sid       = "AssociateWebAcls"
    actions   = ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACL", "wafv2:GetWebACLForResource"]
    resources = [each.value.web_acls, "${each.value.apis}/*"]
  }

  # The path /tags supports conditions on the request only. To tag an API, a role also needs apigateway:PATCH on it, which
  # WriteApis restricts to the stage.
  statement {
    sid       = "TagApis"
    actions   = ["apigateway:DELETE", "apigateway:PUT"]
    resources = [each.value.api_tags]

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:RequestTag/stage"
      values   = [each.key]
    }
  }
}
