# The ledger's tables. The program filters expired items itself: DynamoDB deletes them up to days late.

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_28:on by default; a trial installation may turn it off
  for_each = var.create_tables ? local.tables : {}

  name                        = each.value
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }
}
