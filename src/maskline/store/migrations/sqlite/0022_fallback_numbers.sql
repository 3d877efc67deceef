-- No number that is imported is where a connector's calls go when there is no session.
CREATE INDEX proxy_configurations_by_fallback ON proxy_configurations (fallback_number)
    WHERE fallback_number IS NOT NULL;
