# What an account may hold already: made by hand, with settings of its own.

resource "aws_dynamodb_table" "this" {
  for_each = toset(["huntaze-ai-costs-production", "huntaze-cost-alerts-production"])

  name         = each.key
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }
}

resource "aws_sns_topic" "alerts" {
  name = "huntaze-cost-alerts"
}

resource "aws_ecs_cluster" "this" {
  name = "ai-team"
}

resource "aws_cloudwatch_log_group" "audit" {
  name              = "/huntaze/audit"
  retention_in_days = 731
}

resource "aws_s3_bucket" "exports" {
  bucket = "huntaze-exports"
}

resource "aws_s3_bucket_lifecycle_configuration" "exports" {
  bucket = aws_s3_bucket.exports.id

  rule {
    id     = "temporary"
    status = "Enabled"

    filter {
      prefix = "tmp/"
    }

    expiration {
      days = 7
    }
  }
}
