import Glibc
import Testing

@testable import weir

@Suite struct SensorClientTests {
    @Test func aSensorThatDoesNotRunIsSaidSo() {
        let client = SensorClient(path: "/tmp/weir-test-\(getpid())-none.sock")
        let error = #expect(throws: SensorClient.ClientError.self) { try client.get("/api/status") }
        #expect(error?.status == .unavailable)
        #expect(error?.description.contains("weir run") == true)
    }

    @Test func aPathThatIsTooLongIsAnError() {
        let client = SensorClient(path: "/tmp/" + String(repeating: "x", count: 200))
        let error = #expect(throws: SensorClient.ClientError.self) { try client.get("/api/status") }
        #expect(error?.status == .inputOutput)
    }
}
