# Two roles a stage for GitHub's workflows, without a stored key: one deploys, one reads for the plan on a pull request.
# Each is tied to an environment of the repository, so that the environment's own rules (branches, reviewers) hold for it.

provider "aws" {
  # IAM is global; the region is where its API is called.
  region = values(var.stages)[0]

  default_tags {
    tags = {
      application = "order-replication"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  issuer   = "token.actions.githubusercontent.com"
  audience = "sts.amazonaws.com"
  provider = "arn:${local.partition}:iam::${local.account}:oidc-provider/${local.issuer}"

  # Of a stage's own environment, and of the one that plans it.
  environments = merge([for stage in keys(var.stages) : { (stage) = stage, "${stage}-plan" = stage }]...)
}

resource "aws_iam_openid_connect_provider" "github" {
  for_each = toset(var.identity_provider_exists ? [] : ["https://${local.issuer}"])

  url            = each.value
  client_id_list = [local.audience]
}

data "aws_iam_policy_document" "trust" {
  # checkov:skip=CKV_AWS_358:The claim names one repository and one environment of it; checkov cannot read that they are variables.
  for_each = local.environments

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = [local.audience]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["repo:${var.repository}:environment:${each.key}"]
    }
  }
}

# The path keeps these roles out of what the deploying role may change: its own rights are not its to widen.
resource "aws_iam_role" "deploy" {
  for_each = var.stages

  name                 = "order-replication-${each.key}-deploy"
  path                 = "/github/"
  description          = "Deploys ${each.key} from GitHub."
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "deploy" {
  for_each = var.stages

  name   = "deploy"
  role   = aws_iam_role.deploy[each.key].id
  policy = data.aws_iam_policy_document.deploy[each.key].json
}

resource "aws_iam_role" "plan" {
  for_each = var.stages

  name                 = "order-replication-${each.key}-plan"
  path                 = "/github/"
  description          = "Plans ${each.key} on pull requests."
  assume_role_policy   = data.aws_iam_policy_document.trust["${each.key}-plan"].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "plan" {
  for_each = var.stages

  name   = "plan"
  role   = aws_iam_role.plan[each.key].id
  policy = data.aws_iam_policy_document.plan[each.key].json
}
