import Support
import Testing

@testable import Detection

/// Short captures of honest and of odd traffic say nothing about cost, change, beacons and leaks.
@Suite(.enabled(if: !SharedCapture.all.isEmpty, "no shared captures: set WEIR_TEST_DATA"))
struct EDoSCaptureTests {
    @Test(arguments: ["benign", "protocols"])
    func `No capture of honest traffic is an incident of cost, change, beacon or leak`(_ kind: String) {
        let captures = SharedCapture.all.filter { $0.name.hasPrefix("pcap/\(kind)/") }
        #expect(captures.count > 100)
        // Each with every level at half.
        var settings = DetectionSettings()
        settings.scale = 0.5
        for capture in captures {
            let found = Detected(captures: [capture.path], settings).opened.filter { incident in
                switch incident.threat {
                case .edos, .beacon, .exfiltration, .change: true
                default: false
                }
            }
            #expect(found.isEmpty, "\(capture.name): \(found.map(\.worst.summary))")
        }
    }
}
