import net.schmizz.sshj.DefaultConfig;
import net.schmizz.sshj.SSHClient;
import net.schmizz.sshj.connection.channel.direct.DirectConnection;
import net.schmizz.sshj.connection.channel.direct.Session;
import net.schmizz.sshj.sftp.SFTPClient;
import net.schmizz.sshj.transport.verification.PromiscuousVerifier;
import net.schmizz.sshj.userauth.method.AuthKeyboardInteractive;
import net.schmizz.sshj.userauth.method.PasswordResponseProvider;
import net.schmizz.sshj.userauth.password.PasswordUtils;
import net.schmizz.sshj.xfer.FileSystemFile;

/** sshj, client. */
public final class WithSshj {
    private static int client(String[] words) throws Exception {
        try (SSHClient ssh = new SSHClient(new DefaultConfig())) {
            ssh.addHostKeyVerifier(new PromiscuousVerifier());
            ssh.connect("127.0.0.1", Told.PORT);
            Told.renewal = () -> ssh.getTransport().doKex();
            var answers = PasswordUtils.createOneOff(Told.PASSWORD.toCharArray());
            switch (Told.AUTH) {
                case "password" -> ssh.authPassword(Told.USER, Told.PASSWORD);
                case "keyboard-interactive" -> ssh.auth(
                        Told.USER, new AuthKeyboardInteractive(new PasswordResponseProvider(answers)));
                default -> ssh.authPublickey(Told.USER, Told.KEY);
            }
            return work(ssh, words);
        }
    }

    private static int work(SSHClient ssh, String[] words) throws Exception {
        switch (words[0]) {
            case "run": {
                Session.Command command = ssh.startSession().exec(words[1]);
                Told.pumpAside(System.in, command.getOutputStream());
                Told.pump(command.getInputStream(), System.out);
                command.join();
                return command.getExitStatus() == null ? 255 : command.getExitStatus();
            }
            case "forward": {
                DirectConnection there = ssh.newDirectConnection(words[1], Integer.parseInt(words[2]));
                Told.pumpAside(System.in, there.getOutputStream());
                Told.pump(there.getInputStream(), System.out);
                return 0;
            }
            default: {
                SFTPClient files = ssh.newSFTPClient();
                switch (words[0]) {
                    case "put" -> files.put(new FileSystemFile(words[1]), words[2]);
                    case "get" -> files.get(words[1], new FileSystemFile(words[2]));
                    default -> files.ls(words[1]).forEach(entry -> System.out.println(entry.getName()));
                }
                return 0;
            }
        }
    }

    public static void main(String[] words) {
        Told.main(words, new DefaultConfig().getVersion(), WithSshj::client, ignored -> 2);
    }
}
