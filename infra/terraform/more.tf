# What the template says by DeletionPolicy, or always, and what stands in the way of an end that is meant.

variable "protected" {
  description = "Whether what is kept refuses to go: plans that delete it fail, and so do buckets that are not empty."
  type        = bool
  default     = true
}
