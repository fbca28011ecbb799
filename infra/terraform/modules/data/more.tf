# What the template says by DeletionPolicy, or always, and what stands in the way of an end that is meant.

variable "protected" {
  description = "Whether the table refuses to be deleted, and buckets while there is something in them."
  type        = bool
  default     = true
}
