# The receivers of events. Each has a rule, a role, a queue of undelivered events and an alarm of its own.

locals {
  event_source = "order-replication.${var.stage}"

  # The fixed message group of a FIFO queue. All events are in one group, because a rule cannot take it from the event.
  message_group_id = "orders"

  destination_kinds = {
    for name, destination in var.destinations : name => one([
      for kind in ["sqs", "https", "lambda", "event_bus"] : kind if destination[kind] != null
    ])
  }

  # The ARN of the target, and the action that sends an event to it.
  destination_targets = {
    for name, destination in var.destinations : name => {
      arn = coalesce(destination.sqs, destination.lambda, destination.event_bus, try(module.https_endpoint[name].arn, null))
      action = {
        sqs       = "sqs:SendMessage"
        https     = "events:InvokeApiDestination"
        lambda    = "lambda:InvokeFunction"
        event_bus = "events:PutEvents"
      }[local.destination_kinds[name]]
    }
  }
}

module "https_endpoint" {
  source   = "./modules/https_endpoint"
  for_each = { for name, destination in var.destinations : name => destination.https if destination.https != null }

  destination     = each.key
  name            = "${local.name}-to-${each.key}"
  url             = each.value.url
  rate_per_second = each.value.rate_per_second
  api_key         = each.value.api_key
  basic           = each.value.basic
  oauth           = each.value.oauth
}

module "destination" {
  source   = "./modules/destination"
  for_each = var.destinations

  destination          = each.key
  name                 = "${local.name}-to-${each.key}"
  region               = var.region
  bus_name             = module.events.bus_name
  event_source         = local.event_source
  types                = each.value.types
  channel_ids          = each.value.channel_ids
  status_ids           = each.value.status_ids
  target_arn           = local.destination_targets[each.key].arn
  action               = local.destination_targets[each.key].action
  target_kms_key_arn   = each.value.sqs_kms_key_arn
  message_group_id     = endswith(coalesce(each.value.sqs, "-"), ".fifo") ? local.message_group_id : null
  retry_hours          = each.value.retry_hours
  retry_attempts       = each.value.retry_attempts
  runbook_url          = var.runbook_url
  alarm_topic_arn      = module.alerts.dead_letters_topic_arn
  kms_key_arn          = module.roles.kms_key_arn
  permissions_boundary = var.permissions_boundary
}
