# PostgreSQL that takes no connection without TLS.

locals {
  instance     = var.database == null ? null : var.database.instance
  has_instance = var.database == null ? false : var.database.instance != null
}

resource "aws_db_parameter_group" "this" {
  count = var.database == null ? 0 : 1

  name        = "${var.namespace}-${var.environment}-${var.database.family}"
  family      = var.database.family
  description = "TLS only"
  tags        = var.tags

  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "immediate"
  }

  parameter {
    name         = "log_min_duration_statement"
    value        = "1000"
    apply_method = "immediate"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_157:multi_az is on by default; a test installation may turn it off
  #checkov:skip=CKV_AWS_353:performance_insights is the switch that is asked for, on by default
  #checkov:skip=CKV_AWS_293:deletion_protection is on by default
  #checkov:skip=CKV2_AWS_30:statements slower than a second are logged by the parameter group
  count = local.has_instance ? 1 : 0

  identifier                          = local.instance.identifier
  engine                              = "postgres"
  engine_version                      = local.instance.engine_version
  instance_class                      = local.instance.class
  allocated_storage                   = local.instance.storage_gb
  max_allocated_storage               = local.instance.storage_gb * 2
  storage_encrypted                   = true
  kms_key_id                          = var.kms_key_arn
  username                            = local.instance.username
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.kms_key_arn
  iam_database_authentication_enabled = true
  parameter_group_name                = aws_db_parameter_group.this[0].name
  db_subnet_group_name                = local.instance.subnet_group
  vpc_security_group_ids              = local.instance.security_group_ids
  publicly_accessible                 = false
  multi_az                            = local.instance.multi_az
  ca_cert_identifier                  = "rds-ca-rsa2048-g1"
  backup_retention_period             = 14
  copy_tags_to_snapshot               = true
  auto_minor_version_upgrade          = true
  deletion_protection                 = local.instance.deletion_protection
  skip_final_snapshot                 = !local.instance.deletion_protection
  final_snapshot_identifier           = local.instance.deletion_protection ? "${local.instance.identifier}-final" : null
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  monitoring_interval                 = 60
  monitoring_role_arn                 = aws_iam_role.database[0].arn

  performance_insights_enabled          = local.instance.performance_insights
  performance_insights_kms_key_id       = local.instance.performance_insights ? var.kms_key_arn : null
  performance_insights_retention_period = local.instance.performance_insights ? 7 : null

  tags = var.tags
}

resource "aws_iam_role" "database" {
  count = local.has_instance ? 1 : 0

  name        = "${var.namespace}-database-monitoring"
  description = "Enhanced monitoring of RDS"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "database" {
  count = local.has_instance ? 1 : 0

  role       = aws_iam_role.database[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
