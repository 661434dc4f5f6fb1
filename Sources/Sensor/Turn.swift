import Glibc

/// Lets threads wait until another has changed something.
@safe
final class Turn: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition.initialize(to: pthread_cond_t())
        _ = unsafe pthread_mutex_init(mutex, nil)
        _ = unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        _ = unsafe pthread_cond_destroy(condition)
        _ = unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    func announce() {
        _ = unsafe pthread_mutex_lock(mutex)
        _ = unsafe pthread_cond_broadcast(condition)
        _ = unsafe pthread_mutex_unlock(mutex)
    }

    func wait(until isTrue: () -> Bool) {
        _ = unsafe pthread_mutex_lock(mutex)
        while !isTrue() { _ = unsafe pthread_cond_wait(condition, mutex) }
        _ = unsafe pthread_mutex_unlock(mutex)
    }
}
