-- unended(tenant): the tenant's jobs that are not settled.
return redis.call('SMEMBERS', open_jobs(ARGV[2]))
