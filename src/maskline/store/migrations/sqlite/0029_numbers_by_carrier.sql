-- The order in which equally good numbers of a carrier are taken: those of one that cannot do what a
-- session is for are not read.
DROP INDEX phone_numbers_of_country;
CREATE INDEX phone_numbers_of_country ON phone_numbers
    (pool, country, carrier, open_sessions, last_assigned_at, phone_number)
    WHERE pool IS NOT NULL;
DROP INDEX phone_numbers_of_area;
CREATE INDEX phone_numbers_of_area ON phone_numbers
    (pool, country, area_code, carrier, open_sessions, last_assigned_at, phone_number)
    WHERE pool IS NOT NULL;
