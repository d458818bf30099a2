# One block for each kind of thing that may exist; names follow from namespace and environment.

import {
  for_each = {
    ai_costs    = "${var.namespace}-ai-costs-${var.environment}"
    cost_alerts = "${var.namespace}-cost-alerts-${var.environment}"
  }

  to = module.finops.module.orchestrator.aws_dynamodb_table.this[each.key]
  id = each.value
}

import {
  to = module.finops.module.orchestrator.aws_sns_topic.alerts
  id = "arn:aws:sns:${var.region}:${var.account_id}:${var.namespace}-cost-alerts"
}

import {
  for_each = var.clusters

  to = module.finops.module.observability[0].aws_ecs_cluster.this[each.key]
  id = each.key
}

import {
  for_each = var.audit_log_groups

  to = module.finops.module.observability[0].aws_cloudwatch_log_group.this[each.key]
  id = each.key
}

# The lifecycle rules that a bucket has: after this the plan shows a rule that is not listed as removed.
import {
  for_each = { for name, bucket in var.buckets : name => bucket if bucket.transition_days != null }

  to = module.finops.module.storage[0].aws_s3_bucket_lifecycle_configuration.this[each.key]
  id = each.key
}
