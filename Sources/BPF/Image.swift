import BPFImages

/// A compiled object, part of the binary.
@safe
// Sendable: the bytes are constants of the binary, never written.
public struct Image: @unchecked Sendable {
    /// The source's name.
    public let name: StaticString
    let bytes: UnsafeRawBufferPointer

    private init(_ name: StaticString, _ function: (UnsafeMutablePointer<Int>?) -> UnsafeRawPointer?) {
        var size = 0
        self.name = name
        let start = unsafe function(&size)
        unsafe bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    /// tc ingress and egress: counters.
    public static let count = unsafe Image("count") { unsafe bpf_image_count($0) }
    /// Socket filter: which frames reach user space.
    public static let sample = unsafe Image("sample") { unsafe bpf_image_sample($0) }
    /// Fanout program: which ring a frame goes to.
    public static let share = unsafe Image("share") { unsafe bpf_image_share($0) }
}
