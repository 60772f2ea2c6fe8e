#!/usr/bin/env perl
# The adapter of Net::SSH2 for Perl, client. It is libssh2 underneath.
use strict;
use warnings;
use Fcntl qw(O_WRONLY O_CREAT O_TRUNC);
use IO::Select;
use Net::SSH2;

sub told { return $ENV{"PEER_$_[0]"} // '' }

sub failed {
    my ($ssh, $what) = @_;
    print {*STDERR} "$what: ", join(' ', $ssh->error), "\n";
    exit 255;
}

# Both ways at once, until the other side has ended its own.
sub carry {
    my ($ssh, $channel) = @_;
    my ($open, $waiting) = (1, '');
    my $input = IO::Select->new(\*STDIN);
    $ssh->blocking(0);
    binmode STDOUT;
    while (!$channel->eof) {
        my $moved = 0;
        my $got = $channel->read(my $data, 32_768);
        if ($got) { print {*STDOUT} $data; $moved = 1 }
        if ($open && $waiting eq '' && $input->can_read(0)) {
            if (!sysread STDIN, $waiting, 32_768) {
                $open = 0;
                $ssh->blocking(1);
                $channel->send_eof;
                $ssh->blocking(0);
            }
            $moved = 1;
        }
        if ($waiting ne '') {
            my $sent = $channel->write($waiting);
            if ($sent && $sent > 0) { substr $waiting, 0, $sent, ''; $moved = 1 }
        }
        select undef, undef, undef, 0.002 if !$moved;
    }
    $ssh->blocking(1);
    $channel->wait_closed;
    return $channel->exit_status;
}

if ($ARGV[0] eq 'version') { print "$Net::SSH2::VERSION\n"; exit 0 }
if (told('REKEY') ne '') { print {*STDERR} "libssh2 has no call for that\n"; exit 254 }
my ($what, $first, $second) = @ARGV[1 .. 3];
my $ssh = Net::SSH2->new;
$ssh->connect('127.0.0.1', told('PORT')) or failed($ssh, 'connect');
my $in =
    told('AUTH') eq 'password' ? $ssh->auth_password(told('USER'), told('PASSWORD'))
  : told('AUTH') eq 'keyboard-interactive' ? $ssh->auth_keyboard(told('USER'), told('PASSWORD'))
  :                                          $ssh->auth_publickey(told('USER'), undef, told('KEY'));
failed($ssh, 'login') if !$in;
my $status = 0;
if ($what eq 'run') {
    my $channel = $ssh->channel or failed($ssh, 'channel');
    $channel->exec($first) or failed($ssh, 'exec');
    $status = carry($ssh, $channel);
} elsif ($what eq 'forward') {
    my $channel = $ssh->tcpip($first, $second) or failed($ssh, 'forward');
    carry($ssh, $channel);
} else {
    my $sftp = $ssh->sftp or failed($ssh, 'sftp');
    if ($what eq 'put') {
        open my $file, '<:raw', $first or exit 255;
        my $remote = $sftp->open($second, O_WRONLY | O_CREAT | O_TRUNC, oct 644) or failed($ssh, $second);
        while (read $file, my $data, 32_768) {
            while ($data ne '') {
                my $count = $remote->write($data);
                failed($ssh, $second) if !$count || $count < 0;
                substr $data, 0, $count, '';
            }
        }
    } elsif ($what eq 'get') {
        open my $file, '>:raw', $second or exit 255;
        my $remote = $sftp->open($first) or failed($ssh, $first);
        while ($remote->read(my $data, 32_768)) { print {$file} $data }
    } else {
        my $directory = $sftp->opendir($first) or failed($ssh, $first);
        while (my $entry = $directory->read) { print "$entry->{name}\n" }
    }
}
exit $status;
