extension RedisAddress {
    /// Connects, says who we are, and leaves. Waits at most about three seconds, name resolution aside.
    ///
    /// - Returns: nil when Redis answers, else what is wrong, for people and without secrets.
    public func probe() -> String? {
        do throws(RedisFailure) {
            _ = try RedisConnection.open(self, patience: 1_500_000_000, answer: 1_500_000_000)
            return nil
        } catch {
            return error.description
        }
    }
}
