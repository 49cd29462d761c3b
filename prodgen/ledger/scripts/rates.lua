-- rates(): returns how many generating workers live, and the images of each model that one makes in a second.
return {redis.call('ZCOUNT', key('workers'), now(), '+inf'), redis.call('HGETALL', key('rates'))}
