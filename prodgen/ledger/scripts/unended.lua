-- unended(tenant): the tenant's jobs that are not settled.
return unended_jobs(ARGV[2])
