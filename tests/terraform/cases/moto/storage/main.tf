resource "aws_s3_bucket" "this" {
  bucket = "trial-files"
}

module "storage" {
  source = "../../modules/storage"

  namespace = "trial"

  buckets = {
    trial-files = {
      transition_days = 30
      other_rules = [
        { id = "temporary", prefix = "tmp/", expiration_days = 7 },
        { id = "unfinished", abort_incomplete_upload_days = 3 },
        { id = "old", prefix = "logs/", noncurrent_version_expiration_days = 90, transitions = { GLACIER = 60 } },
      ]
    }
  }

  depends_on = [aws_s3_bucket.this]
}
