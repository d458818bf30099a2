# S3 Intelligent-Tiering for buckets that exist. The archive configuration stands beside others by its name; a lifecycle rule does not,
# which is why the rules that stay have to be given.

locals {
  id       = "${var.namespace}-finops-intelligent-tiering"
  archived = { for name, bucket in var.buckets : name => bucket if bucket.archive_days != null || bucket.deep_archive_days != null }
  moved    = { for name, bucket in var.buckets : name => bucket if bucket.transition_days != null }
}

resource "aws_s3_bucket_intelligent_tiering_configuration" "this" {
  for_each = local.archived

  bucket = each.key
  name   = local.id
  status = "Enabled"

  dynamic "filter" {
    for_each = each.value.prefix == null ? [] : [each.value.prefix]
    content {
      prefix = filter.value
    }
  }

  dynamic "tiering" {
    for_each = { for tier, days in { ARCHIVE_ACCESS = each.value.archive_days, DEEP_ARCHIVE_ACCESS = each.value.deep_archive_days } : tier => days if days != null }
    content {
      access_tier = tiering.key
      days        = tiering.value
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  #checkov:skip=CKV_AWS_300:rules for unfinished uploads belong to the bucket's owner; other_rules keeps theirs
  for_each = local.moved

  bucket = each.key

  dynamic "rule" {
    for_each = each.value.other_rules
    content {
      id     = rule.value.id
      status = rule.value.enabled ? "Enabled" : "Disabled"

      filter {
        prefix = rule.value.prefix
      }

      dynamic "transition" {
        for_each = rule.value.transitions
        content {
          storage_class = transition.key
          days          = transition.value
        }
      }

      dynamic "expiration" {
        for_each = rule.value.expiration_days == null ? [] : [rule.value.expiration_days]
        content {
          days = expiration.value
        }
      }

      dynamic "noncurrent_version_expiration" {
        for_each = rule.value.noncurrent_version_expiration_days == null ? [] : [rule.value.noncurrent_version_expiration_days]
        content {
          noncurrent_days = noncurrent_version_expiration.value
        }
      }

      dynamic "abort_incomplete_multipart_upload" {
        for_each = rule.value.abort_incomplete_upload_days == null ? [] : [rule.value.abort_incomplete_upload_days]
        content {
          days_after_initiation = abort_incomplete_multipart_upload.value
        }
      }
    }
  }

  rule {
    id     = local.id
    status = "Enabled"

    filter {
      prefix = each.value.prefix == null ? "" : each.value.prefix
    }

    transition {
      days          = each.value.transition_days
      storage_class = "INTELLIGENT_TIERING"
    }
  }
}
