import Glibc
import Linux
import Publishing
import Testing

@testable import Sensor

@Suite struct ConfigurationPlacesTests {
    @Test func theDataDirectoryIsMadeForItsOwnerAlone() throws {
        let folder = try TemporaryFolder()
        var configuration = Configuration()
        configuration.dataDirectory = folder.path + "/a/b"
        try configuration.makeDataDirectory()
        try configuration.makeDataDirectory()
        var status = stat()
        try #require(unsafe stat(configuration.dataDirectory, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
        #expect(configuration.socketPath == folder.path + "/a/b/weir.sock")
    }

    @Test func aFileInTheWayIsAnError() throws {
        let file = try TemporaryFile("x")
        var configuration = Configuration()
        configuration.dataDirectory = file.path + "/data"
        #expect(throws: SystemError.self) { try configuration.makeDataDirectory() }
    }

    @Test func thePasswordIsTheFilesFirstLineAndIsNeverShown() throws {
        let file = try TemporaryFile("s3cret\r\nnot this\n")
        var redis = Configuration.Redis()
        redis.address = try RedisAddress("redis://me@h:1/2")
        redis.passwordFile = file.path
        let address = try redis.addressWithPassword()
        #expect(address == (try RedisAddress("redis://me:s3cret@h:1/2")))
        #expect(!"\(address)".contains("s3cret"))
        var configuration = Configuration()
        configuration.redis.address = address
        for setting in Configuration.settings { #expect(!setting.written(configuration).contains("s3cret")) }
    }

    @Test func aPasswordFileThatIsEmptyOrMissingIsAnError() throws {
        let file = try TemporaryFile("\n")
        for path in [file.path, "/nonexistent/password"] {
            var redis = Configuration.Redis()
            redis.passwordFile = path
            #expect(throws: SystemError.self) { try redis.addressWithPassword() }
        }
    }
}
