# Who did what in this account, in all regions: validated, encrypted, in a bucket from which nobody deletes.

locals {
  trail               = "${var.namespace}-${var.environment}"
  trail_arn           = "arn:${local.partition}:cloudtrail:${var.region}:${var.account_id}:trail/${local.trail}"
  trail_bucket        = "${var.namespace}-audit-${var.environment}-${var.account_id}"
  trail_bucket_arn    = "arn:${local.partition}:s3:::${local.trail_bucket}"
  trail_log_group     = "/aws/cloudtrail/${local.trail}"
  trail_log_group_arn = "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:${local.trail_log_group}"
}

resource "aws_s3_bucket" "audit" {
  #checkov:skip=CKV_AWS_18:who reads the audit bucket is recorded by the trail itself; a second log bucket would need the same again
  #checkov:skip=CKV_AWS_144:a copy in another region is a decision of the owner
  #checkov:skip=CKV2_AWS_62:nothing waits for audit files
  count = var.cloudtrail ? 1 : 0

  bucket              = local.trail_bucket
  object_lock_enabled = true
  tags                = var.tags
}

resource "aws_s3_bucket_versioning" "audit" {
  count = var.cloudtrail ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "audit" {
  count = var.cloudtrail ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.audit_retention_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.audit]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "audit" {
  count = var.cloudtrail ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "audit" {
  count = var.cloudtrail ? 1 : 0

  bucket                  = aws_s3_bucket.audit[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "audit" {
  count = var.cloudtrail ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "audit" {
  count = var.cloudtrail ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  rule {
    id     = "kept-for-audit"
    status = "Enabled"

    filter {
      prefix = ""
    }

    expiration {
      days = var.audit_retention_days + 1
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.audit]
}

resource "aws_s3_bucket_policy" "audit" {
  count = var.cloudtrail ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.trail_bucket_arn, "${local.trail_bucket_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        # Lifecycle rules are not bound by this.
        Sid       = "NobodyDeletes"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"]
        Resource  = "${local.trail_bucket_arn}/*"
      },
      {
        Sid       = "TrailLooks"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = local.trail_bucket_arn
        Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
      },
      {
        Sid       = "TrailWrites"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.trail_bucket_arn}/AWSLogs/${var.account_id}/*"
        Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn, "s3:x-amz-acl" = "bucket-owner-full-control" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.audit]
}

resource "aws_cloudwatch_log_group" "audit" {
  count = var.cloudtrail ? 1 : 0

  name              = local.trail_log_group
  retention_in_days = var.audit_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "trail" {
  count = var.cloudtrail ? 1 : 0

  name        = "${var.namespace}-audit-trail"
  description = "CloudTrail writes to its log group"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
    }]
  })
}

resource "aws_iam_role_policy" "trail" {
  count = var.cloudtrail ? 1 : 0

  name = "write"
  role = aws_iam_role.trail[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Write"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${local.trail_log_group_arn}:log-stream:${var.account_id}_CloudTrail_*"]
    }]
  })
}

resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV_AWS_252:the files are for the audit; what needs a person comes from GuardDuty
  count = var.cloudtrail ? 1 : 0

  name                          = local.trail
  s3_bucket_name                = aws_s3_bucket.audit[0].id
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  kms_key_id                    = var.kms_key_arn
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.audit[0].arn}:*"
  cloud_watch_logs_role_arn     = aws_iam_role.trail[0].arn
  tags                          = var.tags

  depends_on = [aws_s3_bucket_policy.audit, aws_iam_role_policy.trail]
}
