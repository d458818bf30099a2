# How long logs are kept: by class, and audit logs never shorter than they are.

locals {
  days = {
    standard = 30
    critical = 90
    audit    = var.audit_retention_days
  }
  existing_audit = toset([for name, group in var.log_groups : name if group.class == "audit" && group.exists])
  # 0 is for ever, the longest there is.
  present   = { for name, group in data.aws_cloudwatch_log_group.existing_audit : name => coalesce(group.retention_in_days, 0) }
  retention = { for name, group in var.log_groups : name => contains(keys(local.present), name) ? min(local.present[name], local.days[group.class]) == 0 ? 0 : max(local.present[name], local.days[group.class]) : local.days[group.class] }
}

data "aws_cloudwatch_log_group" "existing_audit" {
  for_each = local.existing_audit

  name = each.key
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:the class decides: only audit logs are kept for a year or more
  for_each = var.log_groups

  name              = each.key
  retention_in_days = local.retention[each.key]
  kms_key_id        = var.kms_key_arn
  skip_destroy      = each.value.class == "audit"
  tags              = var.tags
}
