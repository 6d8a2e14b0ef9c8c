-- Ends the stream of an epoch, where the channel still has it. ARGV: new epoch, age_ms,
-- epoch
local s = open(1, ARGV[1])
if s.epoch == ARGV[3] then begin(s, ARGV[1]) end
touch(s, tonumber(ARGV[2]), false)
return {s.epoch, s.top}
